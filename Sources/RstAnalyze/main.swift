print("rst-analyze")
