import { expect, it } from 'vitest'
import type { KubeObject } from '../api/index.ts'
import type { ChangeHandler } from '../kube/index.ts'
import { rememberDeletions } from './caches.ts'

it('a deleted object stays known as deleted when another one of its name comes; of many the newest are kept', () => {
  let tell: ChangeHandler<KubeObject> = () => undefined
  const deletions = rememberDeletions({ onChange: (handler) => ((tell = handler), () => undefined) }, 2)
  const object = { metadata: { name: 'a' } } as KubeObject
  const gone = (key: string) => void tell(key, undefined, object)
  void tell('acme/a', object, undefined)
  expect(deletions.has('acme/a')).toBe(false)
  gone('acme/a')
  void tell('acme/a', object, undefined)
  expect(deletions.has('acme/a')).toBe(true)
  deletions.add('acme/b')
  gone('acme/a')
  gone('acme/c')
  expect(['a', 'b', 'c'].map((name) => deletions.has(`acme/${name}`))).toEqual([true, false, true])
})
