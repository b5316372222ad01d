"""Figures for dashboards and wallboard: periods from the ledger, forecast, staffing, attendance."""
