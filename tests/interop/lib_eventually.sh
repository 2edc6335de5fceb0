# Waiting for something to become true, which ends as soon as it does: no test depends on how fast the machine is.

# eventually SECONDS COMMAND...: until it succeeds; then its output stands for it.
eventually() {
    local tries=$(($1 * 20)) output
    shift
    while ! output=$("$@" 2>&1); do
        tries=$((tries - 1))
        if [ $tries -le 0 ]; then
            echo "$output"
            return 1
        fi
        sleep 0.05
    done
}
