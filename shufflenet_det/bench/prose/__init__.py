"""The figures in the prose of the pages, made from the results."""
