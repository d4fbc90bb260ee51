"""What translates: bytes and text to frozen data and back. No I/O, no clock."""
