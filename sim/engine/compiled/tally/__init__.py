"""The compiled engine where no call is kept: what the calls of each function add up to, function after function."""
