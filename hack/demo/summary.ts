/** The end of the demo: what the handlers counted, held against the producer's list. Pure. */
import type { DemoState } from './state.ts'

export function renderSummary(state: DemoState, kubeconfig: string): readonly string[] {
  const { tally } = state
  const row = (label: string, value: string): string => `  ${label.padEnd(34)} ${value}`
  return [
    '',
    'What the handlers wrote into a store of their own, held against the list of the producer:',
    row('jobs added', String(tally.added)),
    row('done', String(tally.done)),
    row('lost', String(tally.missing)),
    row('run twice', String(tally.twice)),
    row('replicas over time', replicasOverTime(state)),
    row('first job added -> replicas written', span(state.firstAddedAtMs, state.firstScaleAtMs)),
    row('first job added -> first pod ready', span(state.firstAddedAtMs, state.firstReadyAtMs)),
    '',
    'The cluster stays up. To try next:',
    `  export KUBECONFIG=${kubeconfig}`,
    '  kubectl get workerpools,taskbrokers -A',
    '  kubectl -n quickstart describe workerpool quickstart',
    '  kubectl create -f examples/quickstart/burst.yaml && kubectl -n quickstart get pods -w',
    '',
    '  make demo-down removes the demo, make cluster-down the cluster.',
    '',
  ]
}

/** `0 -> 6 -> 1 -> 0`, each with the second at which it was written. */
function replicasOverTime({ replicas, firstAddedAtMs }: DemoState): string {
  const zeroMs = firstAddedAtMs ?? replicas[0]?.atMs ?? 0
  return replicas
    .map(({ atMs, replicas: count }) => (atMs <= zeroMs ? String(count) : `${count} (${Math.round((atMs - zeroMs) / 1000)} s)`))
    .join(' -> ')
}

function span(fromMs: number | undefined, toMs: number | undefined): string {
  if (fromMs === undefined || toMs === undefined) return 'not seen'
  const ms = toMs - fromMs
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** What makes the demo a failure, in words; empty when all is well. */
export function problems(state: DemoState): readonly string[] {
  const { tally, replicas } = state
  return [
    ...(tally.missing > 0 ? [`not done: ${tally.missing} of ${tally.added} jobs`] : []),
    ...(tally.twice > 0 ? [`run more than once: ${tally.twice} of ${tally.added} jobs`] : []),
    ...(replicas.at(-1)?.replicas === 0 ? [] : ['the pool did not go back to zero']),
  ]
}
