"""A budget of milliseconds chooses the backbone."""
