"""Gate 4: the phone (a simulated Twilio), flows, and later labels, samples and reviews."""
