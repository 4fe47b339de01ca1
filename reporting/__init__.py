"""Reports that people read: tables in, HTML, XLSX and text out. Computes no plan and changes no number."""
