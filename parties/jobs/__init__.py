"""What a job is, in the bytes that members sign; the states it goes through; how it is decided. Pure."""
