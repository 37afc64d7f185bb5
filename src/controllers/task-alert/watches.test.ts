import { expect, it } from 'vitest'
import { alertingType, type KubeObject, type TaskAlert } from '../../api/index.ts'
import { alertingWatches, type TaskAlertSources } from './watches.ts'

type Handler = (key: string, current?: KubeObject, previous?: KubeObject) => void

function setup(alerts: readonly TaskAlert[]) {
  const handlers: Record<string, Handler> = {}
  const cache = (name: string) => ({ onChange: (handler: Handler) => void (handlers[name] = handler), byIndex: () => alerts })
  const caches = Object.fromEntries(['alerts', 'pools', 'queues', 'schedules', 'dependencies'].map((name) => [name, cache(name)]))
  const got: string[] = []
  for (const watch of alertingWatches({ caches } as unknown as TaskAlertSources)) watch.subscribe((keys) => void got.push(...keys))
  return { got, change: (...[key, ...objects]: Parameters<Handler>) => handlers['schedules']?.(key, ...objects) }
}

const alert = { metadata: { namespace: 'acme', name: 'late' } } as TaskAlert
const schedule = (conditions: readonly object[]) =>
  ({ metadata: { namespace: 'acme', name: 'nightly' }, status: { conditions } }) as unknown as KubeObject
const plain = schedule([])
const marked = schedule([{ type: alertingType, status: 'True' }])

it.each<{ name: string; alerts: readonly TaskAlert[]; change: readonly [KubeObject | undefined, KubeObject?]; isLookedAt: boolean }>([
  { name: 'a target that nothing watches', alerts: [], change: [plain], isLookedAt: false },
  { name: 'one with an alert', alerts: [alert], change: [plain], isLookedAt: true },
  { name: 'one that still shows an alert that is gone', alerts: [], change: [marked], isLookedAt: true },
  {
    name: 'one that is gone after its alerts, so that nothing of it is remembered',
    alerts: [],
    change: [undefined, plain],
    isLookedAt: true,
  },
])('the condition of $name', ({ alerts, change: [current, previous], isLookedAt }) => {
  const { got, change } = setup(alerts)
  change('acme/nightly', current, previous)
  expect(got).toEqual(isLookedAt ? ['TaskSchedule/acme/nightly'] : [])
})
