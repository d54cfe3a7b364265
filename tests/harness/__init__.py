"""Long checks of the whole: memory and files over time, overhead, a newcomer's path."""
