"""What happens, as Plotly figures: of verdicts, moving while they come or standing still."""
