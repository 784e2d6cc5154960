"""The admission of calls: slots, and the protocol of rate limiters."""
