"""Figures: what the service does in numbers, each beside a baseline that is measured in the same run."""
