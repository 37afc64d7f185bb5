/**
 * `make bench`: prints figures and ratios against a peer in the same run; it never passes or fails by time.
 * `node test/bench/main.ts wake idle` runs only those; WAKES, BURSTS, ALERT_ROUNDS, IDLE_SECONDS and STEADY_SECONDS say how often and how long,
 * SCALE_PERCENT which share of their full size the benchmarks scale and policies have.
 */
import { benchAlerts } from './alerts.ts'
import { benchConsumer } from './consumer.ts'
import { benchGraph } from './graph.ts'
import { benchIdle } from './idle.ts'
import { benchPolicies } from './policies.ts'
import { benchReconcile } from './reconcile.ts'
import { benchReflector } from './reflector.ts'
import { benchRuns } from './runs.ts'
import { benchScale } from './scale.ts'
import { benchSchedules } from './schedules.ts'
import { benchSteady } from './steady.ts'
import { benchTiming } from './timing.ts'
import { benchWake } from './wake.ts'

const setting = (name: string, standard: number): number => Number(process.env[name] ?? standard)

const benches: Readonly<Record<string, () => Promise<void>>> = {
  wake: () => benchWake(setting('WAKES', 30), setting('BURSTS', 12)),
  schedules: benchSchedules,
  policies: () => benchPolicies(setting('SCALE_PERCENT', 20)),
  steady: () => benchSteady(setting('STEADY_SECONDS', 30)),
  timing: async () => benchTiming(),
  runs: benchRuns,
  alerts: () => benchAlerts(setting('ALERT_ROUNDS', 40)),
  idle: () => benchIdle(setting('IDLE_SECONDS', 60)),
  consumer: benchConsumer,
  reconcile: () => benchReconcile(20),
  reflector: benchReflector,
  scale: () => benchScale(setting('SCALE_PERCENT', 20)),
  graph: async () => benchGraph(5),
}

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(benches)
const unknown = chosen.filter((name) => !Object.hasOwn(benches, name))
if (unknown.length > 0) throw new Error(`no such benchmark: ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}`)
for (const name of chosen) await benches[name]?.()
