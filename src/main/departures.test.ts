import { expect, it } from 'vitest'
import type { KubeObject } from '../api/index.ts'
import type { ChangeHandler } from '../kube/index.ts'
import { rememberDepartures } from './departures.ts'

it('knows what has gone, also when another one has come; of many the newest', () => {
  let tell: ChangeHandler<KubeObject> = () => undefined
  const hasDeparted = rememberDepartures({ onChange: (handler) => ((tell = handler), () => undefined) }, 2)
  const object = { metadata: { name: 'a' } } as KubeObject
  const gone = (key: string) => void tell(key, undefined, object)
  void tell('acme/a', object, undefined)
  expect(hasDeparted('acme/a')).toBe(false)
  gone('acme/a')
  void tell('acme/a', object, undefined)
  expect(hasDeparted('acme/a')).toBe(true)
  gone('acme/b')
  gone('acme/a')
  gone('acme/c')
  expect(['a', 'b', 'c'].map((name) => hasDeparted(`acme/${name}`))).toEqual([true, false, true])
})
