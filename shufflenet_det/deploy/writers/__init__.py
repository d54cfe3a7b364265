"""From a detector to the content of a file, one module for each kind of runtime."""
