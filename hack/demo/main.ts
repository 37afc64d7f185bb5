/**
 * `make demo`: the chart, the quickstart and the assistant on the local cluster, a burst of jobs, schedules that fire, a graph with branches that
 * fail, an alert that fires and is resolved, a live view, and a summary that the handlers themselves counted. `make demo-down` removes it. The
 * cluster and the image are there already (the Makefile sees to it).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { labels } from '../../src/contract/index.ts'
import { run } from '../cluster/command.ts'
import { createProgress } from '../cluster/progress.ts'
import { clusterEnvironment } from '../cluster-environment.ts'
import { installRelease, release, removeRelease } from '../release.ts'
import { accountOfAlert, demoAlert, notifiedStates } from './alert.ts'
import { followBurst, followPeople } from './follow.ts'
import { allKinds, missingKinds } from './kinds.ts'
import { elapsed } from './layout.ts'
import { timelineOf } from './timeline.ts'
import { observeDemo } from './observe.ts'
import { demoRuns, runsHaveEnded } from './runs.ts'
import { emptyState, type DemoState, otherExamples } from './state.ts'
import { problems, renderSummary } from './summary.ts'
import { renderFrame, renderLine } from './view.ts'

const patienceMs = 300_000

async function demo(): Promise<number> {
  const cluster = await clusterEnvironment()
  const { env, kubeconfig } = cluster
  const kubectl = (...args: string[]): Promise<string> => run('kubectl', args, { env })
  const progress = createProgress()

  await progress.step('Helm chart: operator and Redis', { expectedSeconds: 15 }, () => installRelease(cluster, [], progress))
  await progress.step('quickstart: broker, pool, web site', { expectedSeconds: 5 }, async () => {
    await applyExample(kubectl, 'examples/quickstart', 'quickstart')
    await kubectl('-n', 'quickstart', 'wait', '--for=condition=Ready', 'taskbroker/default', '--timeout=60s')
    await kubectl('-n', 'quickstart', 'rollout', 'status', 'deployment/site', '--timeout=120s')
    await kubectl('-n', 'quickstart', 'wait', '--for=jsonpath={.status.reason}=ScaledToZero', 'workerpool/quickstart', '--timeout=60s')
  })
  await progress.step('assistant: five pools, schedules, a graph, alerts', { expectedSeconds: 10 }, async () => {
    await applyExample(kubectl, 'examples/assistant/overlays/small', 'assistant')
    await kubectl('-n', 'assistant', 'wait', '--for=condition=Ready', 'taskbroker/default', '--timeout=60s')
    const ready = ['taskschedule', 'taskdependency', 'taskqueue', 'taskalert', 'alertchannel']
    await Promise.all(ready.map((kind) => kubectl('-n', 'assistant', 'wait', '--for=condition=Ready', kind, '--all', '--timeout=60s')))
    // That of a demo which was broken off a moment ago fires for a minute or two more.
    await kubectl('-n', 'assistant', 'wait', '--for=jsonpath={.status.state}=Inactive', `taskalert/${demoAlert}`, '--timeout=180s')
  })
  await progress.step('two more examples: a data platform, an office', { expectedSeconds: 10 }, async () => {
    await Promise.all(
      otherExamples.map(async (name) => {
        await applyExample(kubectl, `examples/${name}/overlays/small`, name)
        const ready = ['taskbroker', 'workerpool', 'taskschedule']
        await Promise.all(ready.map((kind) => kubectl('-n', name, 'wait', '--for=condition=Ready', kind, '--all', '--timeout=120s')))
      }),
    )
  })

  const state = emptyState(Date.now())
  using view = startView(state)
  const stop = new AbortController()
  try {
    await observeDemo(state, { kubeconfig, signal: stop.signal, onChange: view.changed })
    const create = async (file: string): Promise<string> => (await kubectl('create', '-f', file, '-o', 'name')).trim()
    const [people, burst] = await Promise.all([create('examples/assistant/people.yaml'), create('examples/quickstart/burst.yaml')])
    for (const [file, expected] of Object.entries(demoRuns)) {
      const name = (await create(`examples/assistant/runs/${file}`)).replace(/^.*\//u, '')
      state.assistant.expected = { ...state.assistant.expected, [name]: expected }
    }
    const options = { env, onChange: view.changed }
    await Promise.all([followPeople(people, state, options), followBurst(burst, state, options)])
    await until(() => state.replicas.at(-1)?.replicas === 0)
    await until(() => runsHaveEnded(state.assistant))
    await until(() => accountOfAlert(state).resolvedAt !== undefined)
    state.assistant.told = await toldUntil(2, () => kubectl(...operatorLog(state)).then(notifiedStates))
    const scaledAtMs = firstScale(state)
    if (scaledAtMs !== undefined) state.firstScaleAtMs = scaledAtMs
  } finally {
    stop.abort()
  }
  view.end()
  const shown = await allKinds(kubectl)
  const failed = [...problems(state), ...missingKinds(shown)]
  console.log(renderSummary(state, shown, kubeconfig, process.stdout.isTTY ? process.stdout.columns : undefined).join('\n'))
  for (const problem of failed) console.error(`demo failed: ${problem}`)
  return failed.length === 0 ? 0 : 1
}

/** Workers read their code at their start: those of an earlier demo with other code are replaced. */
async function applyExample(kubectl: (...args: string[]) => Promise<string>, folder: string, namespace: string): Promise<void> {
  const said = await kubectl('apply', '-k', folder)
  if (said.includes(`configmap/${namespace}-code configured`)) await kubectl('-n', namespace, 'delete', 'pods', '-l', labels.pool)
}

/** The summary names a notification that does not come. */
async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + patienceMs
  while (!holds() && Date.now() < deadlineMs) await sleep(200)
}

/** Notifications are sent after they are recorded; then it reads once more, for notifications that must not come. */
async function toldUntil(count: number, look: () => Promise<readonly string[]>): Promise<readonly string[]> {
  const deadlineMs = Date.now() + 10_000
  while ((await look()).length < count && Date.now() < deadlineMs) await sleep(500)
  await sleep(1_000)
  return look()
}

/** Both replicas of the operator: who leads may have changed. */
function operatorLog({ startedAtMs }: DemoState): readonly string[] {
  const since = `--since-time=${new Date(startedAtMs).toISOString()}`
  return ['-n', release.namespace, 'logs', '-l', 'app.kubernetes.io/component=operator', '--tail=-1', since]
}

/** When the operator wrote the first replicas for the burst, by its own Event: both times come from the cluster's clock. */
function firstScale(state: DemoState): number | undefined {
  const { firstAddedAtMs } = state
  if (firstAddedAtMs === undefined) return undefined
  const scaled = state.events.filter((event) => event.reason === 'ScaledUp' && event.atMs >= firstAddedAtMs).map((event) => event.atMs)
  return scaled.length === 0 ? undefined : Math.min(...scaled)
}

/** Draws a frame four times a second in place on a terminal; elsewhere, for logs, what is new as it comes and a line every five seconds. */
function startView(state: DemoState): Disposable & { changed(): void; end(): void } {
  const out = process.stdout
  let isStale = true
  let drawn = 0
  const told = new Set<string>()
  let lineAtMs = 0
  const drawLines = (isLast: boolean): void => {
    for (const { atMs, text } of timelineOf(state)) {
      const id = `${atMs} ${text}`
      if (told.has(id)) continue
      told.add(id)
      out.write(`  ${elapsed(atMs - state.startedAtMs)}  * ${text}\n`)
    }
    if (!isLast && Date.now() < lineAtMs) return
    lineAtMs = Date.now() + 5000
    out.write(`${renderLine(state, Date.now())}\n`)
  }
  const draw = (isLast = false): void => {
    if (!isStale && !out.isTTY) return
    isStale = false
    if (!out.isTTY) return drawLines(isLast)
    const frame = renderFrame(state, Date.now(), out.columns, out.rows)
    out.write(`${drawn === 0 ? '' : `\u001b[${drawn}A`}${frame.map((line) => `\u001b[2K${line}`).join('\n')}\n`)
    drawn = frame.length
  }
  const timer = setInterval(draw, out.isTTY ? 250 : 1000)
  const end = (): void => clearInterval(timer)
  return {
    changed: () => void (isStale = true),
    end: () => {
      end()
      isStale = true
      draw(true)
    },
    [Symbol.dispose]: end,
  }
}

async function demoDown(): Promise<number> {
  const cluster = await clusterEnvironment()
  const progress = createProgress()
  await progress.step('removing the examples', {}, () =>
    run('kubectl', ['delete', 'namespace', 'quickstart', 'assistant', ...otherExamples, '--ignore-not-found'], { env: cluster.env }),
  )
  await progress.step('removing the release', {}, () => removeRelease(cluster))
  return 0
}

process.exitCode = await (process.argv[2] === 'down' ? demoDown() : demo())
