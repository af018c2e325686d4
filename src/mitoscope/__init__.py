"""mitoscope."""
