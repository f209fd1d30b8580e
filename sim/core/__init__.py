"""What everyone needs: the tie order of events, random numbers, distributions and errors."""
