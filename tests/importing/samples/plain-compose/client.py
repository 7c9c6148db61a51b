import os
import time
import urllib.request

with urllib.request.urlopen(os.environ["API_URL"], timeout=10) as answer:
    print("api answered", answer.status, os.environ["API_PORT"], flush=True)
time.sleep(600)
