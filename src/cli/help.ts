const common = `
  -n, --namespace NAME   default: that of the context
      --context NAME     default: the current one
      --kubeconfig FILE  default: $KUBECONFIG, else ~/.kube/config
`

const texts: Readonly<Record<string, readonly [usage: string, about: string, options: string]>> = {
  scale: [
    'wp/NAME REPLICAS --for DURATION [--because REASON]',
    'Gives a WorkerPool that many replicas for a while, whatever its queues ask for. Its manifest is not touched and may be applied meanwhile.',
    `
      --for DURATION     45m, 1h, 1d12h; then the pool goes back by itself
      --because REASON   for others to read, in kubectl describe and as an Event
`,
  ],
  suspend: [
    'wp/NAME | tsch/NAME | tq/NAME --for DURATION [--because REASON]',
    'Suspends a WorkerPool (no pods; those that run drain), a TaskSchedule (no slot is dispatched) or a TaskQueue (no job is started) for a while.',
    `
      --for DURATION     45m, 1h, 1d12h; then it goes on by itself
      --because REASON   for others to read, in kubectl describe and as an Event
`,
  ],
  resume: [
    'wp/NAME | tsch/NAME | tq/NAME [--for DURATION] [--because REASON]',
    'Ends what scale and suspend began. With --for, a TaskSchedule or TaskQueue whose manifest suspends it runs for a while.',
    `
      --for DURATION     45m, 1h, 1d12h; then it is suspended again by itself
      --because REASON   for others to read, in kubectl describe and as an Event
`,
  ],
}

export function helpOf(command: string, program: string): string {
  const [usage, about, options] = texts[command] ?? ['', '', '']
  return `${program} ${command} ${usage}\n\n${about}\n${options.trimEnd()}${common}`
}
