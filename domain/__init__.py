"""What a musician means: ids, resources, musical values, commands, errors and the ports they are served through."""
