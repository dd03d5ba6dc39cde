"""Generation: new music from what was heard in other music."""
