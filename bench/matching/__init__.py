"""Which runs do 50,000 events start among 10,000 triggers? The router, and a brute-force reference."""
