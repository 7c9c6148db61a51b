# Ends at once: short_lived.sh FOLDER. Tells that it was there with a byte in FOLDER/count. While there is
# a file FOLDER/hold it stays to be looked at, and its pid stands in FOLDER/held.
printf x >>"$1/count"
if test -e "$1/hold"; then
  echo "$$" >"$1/held.new" && mv "$1/held.new" "$1/held"
  while test -e "$1/hold"; do sleep 0.02; done
fi
