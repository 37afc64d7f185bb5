module taskmill.dev/test/support/robfig-cron

go 1.21

require github.com/robfig/cron/v3 v3.0.1
