import { expect, it } from 'vitest'
import { watch, watchSpecs } from './kind.ts'

it('a watch passes on the keys of each change until it ends', () => {
  const handlers = new Set<(key: string, current?: number) => void>()
  const source = {
    onChange(handler: (key: string, current?: number) => void) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
  }
  const announce = (key: string, current?: number) => handlers.forEach((handler) => handler(key, current))
  const got: (readonly string[])[] = []
  const end = watch('numbers', source, (key, current) => (current === undefined ? [] : [key, `${key}/${current}`])).subscribe((keys) => {
    got.push(keys)
  })
  announce('a', 1)
  announce('b')
  end()
  announce('c', 2)
  expect(got).toEqual([['a', 'a/1']])
})

it('a source that cannot be left is left alone', () => {
  const handlers: ((key: string) => void)[] = []
  const source = { onChange: (handler: (key: string) => void) => void handlers.push(handler) }
  const end = watch('keys', source, (key) => [key]).subscribe(() => undefined)
  expect(() => end()).not.toThrow()
})

it('a watch of specs passes on what is created, edited, replaced and deleted, and no write of a status', () => {
  type Version = { readonly metadata: { readonly uid: string; readonly generation: number } }
  const handlers: ((key: string, current?: Version, previous?: Version) => void)[] = []
  const cache = { onChange: (handler: (typeof handlers)[number]) => void handlers.push(handler) }
  const version = (uid: string, generation: number): Version => ({ metadata: { uid, generation } })
  const got: string[] = []
  watchSpecs('objects', cache, (key) => [key]).subscribe((keys) => void got.push(...keys))
  const announce: (typeof handlers)[number] = (...change) => handlers.forEach((handler) => handler(...change))
  announce('created', version('a', 1))
  announce('status', version('a', 1), version('a', 1))
  announce('edited', version('a', 2), version('a', 1))
  announce('replaced', version('b', 1), version('a', 1))
  announce('deleted', undefined, version('b', 1))
  expect(got).toEqual(['created', 'edited', 'replaced', 'deleted'])
})
