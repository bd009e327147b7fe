"""Object to verdict: is the program safe, and what is known of it at each instruction."""
