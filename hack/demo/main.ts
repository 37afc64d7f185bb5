/**
 * `make demo`: the chart, the quickstart and the assistant on the local cluster, a burst of jobs, schedules that fire, a live view, and a
 * summary that the handlers themselves counted. `make demo-down` removes it. The cluster and the image are there already (the Makefile sees to it).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../cluster/command.ts'
import { createProgress } from '../cluster/progress.ts'
import { clusterEnvironment } from '../cluster-environment.ts'
import { installRelease, removeRelease } from '../release.ts'
import { followBurst, followPeople } from './follow.ts'
import { observeDemo } from './observe.ts'
import { emptyState, type DemoState } from './state.ts'
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
    await kubectl('apply', '-k', 'examples/quickstart')
    await kubectl('-n', 'quickstart', 'wait', '--for=condition=Ready', 'taskbroker/default', '--timeout=60s')
    await kubectl('-n', 'quickstart', 'rollout', 'status', 'deployment/site', '--timeout=120s')
    await kubectl('-n', 'quickstart', 'wait', '--for=jsonpath={.status.reason}=ScaledToZero', 'workerpool/quickstart', '--timeout=60s')
  })
  await progress.step('assistant: five pools, eleven schedules', { expectedSeconds: 10 }, async () => {
    await kubectl('apply', '-k', 'examples/assistant/overlays/small')
    await kubectl('-n', 'assistant', 'wait', '--for=condition=Ready', 'taskbroker/default', '--timeout=60s')
    await kubectl('-n', 'assistant', 'wait', '--for=condition=Ready', 'taskschedule', '--all', '--timeout=60s')
  })

  const state = emptyState(Date.now())
  using view = startView(state)
  const stop = new AbortController()
  try {
    await observeDemo(state, { kubeconfig, signal: stop.signal, onChange: view.changed })
    const create = async (file: string): Promise<string> => (await kubectl('create', '-f', file, '-o', 'name')).trim()
    const [people, burst] = await Promise.all([create('examples/assistant/people.yaml'), create('examples/quickstart/burst.yaml')])
    const options = { env, onChange: view.changed }
    await Promise.all([followPeople(people, state, options), followBurst(burst, state, options)])
    await untilAsleep(state)
    const scaledAtMs = firstScale(state)
    if (scaledAtMs !== undefined) state.firstScaleAtMs = scaledAtMs
  } finally {
    stop.abort()
  }
  view.end()
  const failed = problems(state)
  console.log(renderSummary(state, kubeconfig).join('\n'))
  for (const problem of failed) console.error(`demo failed: ${problem}`)
  return failed.length === 0 ? 0 : 1
}

/** The pool has done its work, and its last replica is gone. */
async function untilAsleep(state: DemoState): Promise<void> {
  const deadlineMs = Date.now() + patienceMs
  while (state.replicas.at(-1)?.replicas !== 0 && Date.now() < deadlineMs) await sleep(200)
}

/** When the operator wrote the first replicas for the burst, by its own Event: both times come from the cluster's clock. */
function firstScale(state: DemoState): number | undefined {
  const { firstAddedAtMs } = state
  if (firstAddedAtMs === undefined) return undefined
  const scaled = state.events.filter((event) => event.reason === 'ScaledUp' && event.atMs >= firstAddedAtMs).map((event) => event.atMs)
  return scaled.length === 0 ? undefined : Math.min(...scaled)
}

/** Draws a frame four times a second in place on a terminal, and a line every two seconds elsewhere. */
function startView(state: DemoState): Disposable & { changed(): void; end(): void } {
  const out = process.stdout
  let isStale = true
  let drawn = 0
  const draw = (): void => {
    if (!isStale && !out.isTTY) return
    isStale = false
    if (!out.isTTY) return void out.write(`${renderLine(state, Date.now())}\n`)
    const frame = renderFrame(state, Date.now(), out.columns, out.rows)
    out.write(`${drawn === 0 ? '' : `\u001b[${drawn}A`}${frame.map((line) => `\u001b[2K${line}`).join('\n')}\n`)
    drawn = frame.length
  }
  const timer = setInterval(draw, out.isTTY ? 250 : 2000)
  const end = (): void => clearInterval(timer)
  return {
    changed: () => void (isStale = true),
    end: () => {
      end()
      isStale = true
      draw()
    },
    [Symbol.dispose]: end,
  }
}

async function demoDown(): Promise<number> {
  const cluster = await clusterEnvironment()
  const progress = createProgress()
  await progress.step('removing the examples', {}, () =>
    run('kubectl', ['delete', 'namespace', 'quickstart', 'assistant', '--ignore-not-found'], { env: cluster.env }),
  )
  await progress.step('removing the release', {}, () => removeRelease(cluster))
  return 0
}

process.exitCode = await (process.argv[2] === 'down' ? demoDown() : demo())
