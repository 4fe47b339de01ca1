"""The front door for the scheduler: Airflow only, no pandas, no SQL, no business rule."""
