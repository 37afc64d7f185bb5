import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHeap } from './heap.ts'

test('a heap gives its items back in order, whatever was pushed, taken and dropped on the way', () => {
  const anyStep = fc.oneof(fc.record({ push: fc.integer() }), fc.constant('pop' as const), fc.record({ keepBelow: fc.integer() }))
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const heap = createHeap<number>((a, b) => a < b)
      let model: number[] = []
      for (const step of steps) {
        if (step === 'pop') expect(heap.pop()).toBe(model.shift())
        else if ('push' in step) {
          heap.push(step.push)
          model = [...model, step.push].toSorted((a, b) => a - b)
        } else {
          heap.keep((item) => item < step.keepBelow)
          model = model.filter((item) => item < step.keepBelow)
        }
        expect([heap.size, heap.peek()]).toEqual([model.length, model[0]])
      }
    }),
  )
})
