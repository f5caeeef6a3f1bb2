"""HTTP: translates between Jupyter's handlers and the rooms behind them; decides nothing."""
