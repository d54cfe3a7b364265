"""The paper's experiments: guidelines, decomposition, feature reuse, table 7."""
