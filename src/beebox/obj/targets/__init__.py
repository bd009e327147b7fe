"""What an object leaves to its target: CO-RE, kernel configuration and symbols, attach points."""
