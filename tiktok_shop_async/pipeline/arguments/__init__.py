"""Arguments of a call: checked and converted to what is sent."""
