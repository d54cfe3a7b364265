"""Measuring: complexity, speed, and the paper's experiments; import what you need from it."""
