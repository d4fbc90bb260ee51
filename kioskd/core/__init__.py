"""What decides: pure, no I/O, no clock. Time is a number that is handed in."""
