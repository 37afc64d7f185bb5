import { describe, expect, it } from 'vitest'
import { memberOf } from './members.ts'

type Starts = { readonly task?: { readonly type: string }; readonly job?: { readonly image: string }; readonly other?: number }

describe('memberOf', () => {
  it('returns the member that is set, with its name', () => {
    const start: Starts = { job: { image: 'busybox' }, other: 1 }
    expect(memberOf(start, ['task', 'job'])).toEqual({ kind: 'job', value: { image: 'busybox' } })
  })

  it('throws when none is set', () => {
    const start: Starts = { other: 1 }
    expect(() => memberOf(start, ['task', 'job'])).toThrow('none of task, job')
  })
})
