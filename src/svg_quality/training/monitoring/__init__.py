"""What a training does to the machine, and what it does wrong."""
