// Command robfig-cron reads cron expressions as the CronJob controller does, with the same library. One JSON object a
// line in, one a line out.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

type question struct {
	Expression string `json:"expression"`
	Zone       string `json:"zone"`
	After      int64  `json:"after"`
	Count      int    `json:"count"`
}

// Next is empty if the expression is never due. Six fields are Refused; Next has what its parser with seconds says.
type answer struct {
	Refused string  `json:"refused,omitempty"`
	Next    []int64 `json:"next"`
}

var withSeconds = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func main() {
	in := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		if err := encoder.Encode(answerTo(q)); err != nil {
			panic(err)
		}
	}
}

func answerTo(q question) answer {
	result := answer{Next: []int64{}}
	location, err := time.LoadLocation(q.Zone)
	if err != nil {
		panic(err)
	}
	prefix := "TZ=" + q.Zone + " "
	if strings.HasPrefix(q.Expression, "TZ=") || strings.HasPrefix(q.Expression, "CRON_TZ=") {
		prefix = ""
	}
	schedule, err := cron.ParseStandard(prefix + q.Expression)
	if err != nil {
		result.Refused = err.Error()
		if schedule, err = withSeconds.Parse(prefix + q.Expression); err != nil {
			return result
		}
	}
	at := time.Unix(q.After, 0).In(location)
	for range make([]struct{}, q.Count) {
		at = schedule.Next(at)
		if at.IsZero() {
			break
		}
		result.Next = append(result.Next, at.Unix())
	}
	return result
}
