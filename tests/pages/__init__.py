"""kioskd's own pages in a real Chromium: at the sizes of a wall, of a small touch display and of a phone."""
