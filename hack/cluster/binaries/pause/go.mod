module taskmill.dev/hack/cluster/binaries/pause

go 1.26.0
