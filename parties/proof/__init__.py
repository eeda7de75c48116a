"""What proves afterwards who computed what: receipts, and the watch over other members' logs."""
