"""Control of a sandbox: its state, its time, and the control endpoints."""
