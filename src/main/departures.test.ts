import { expect, it } from 'vitest'
import type { KubeObject } from '../api/index.ts'
import type { ChangeHandler } from '../kube/index.ts'
import { rememberDepartures } from './departures.ts'

it('knows what has gone, also when another one has come; of many the newest', () => {
  let tell: ChangeHandler<KubeObject> = () => undefined
  const departures = rememberDepartures({ onChange: (handler) => ((tell = handler), () => undefined) }, 2)
  const object = { metadata: { name: 'a' } } as KubeObject
  const gone = (key: string) => void tell(key, undefined, object)
  void tell('acme/a', object, undefined)
  expect(departures.has('acme/a')).toBe(false)
  gone('acme/a')
  void tell('acme/a', object, undefined)
  expect(departures.has('acme/a')).toBe(true)
  departures.note('acme/b')
  gone('acme/a')
  gone('acme/c')
  expect(['a', 'b', 'c'].map((name) => departures.has(`acme/${name}`))).toEqual([true, false, true])
})
