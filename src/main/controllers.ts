/** Makes a running controller of each kind: its reconcile function, a queue of keys, metrics and spans, and its watches until the term ends. */
import { createController, type Controller, type Kind, type Startable } from '../runtime/index.ts'
import { kinds } from './kinds.ts'
import type { Term } from './term.ts'

/** The keys of the start wait behind what people change meanwhile. */
const startPriority = -100
const reconcilesAtOnce = 16

/** In the order of the list of kinds. */
export function createControllers(term: Term): readonly Startable[] {
  return kinds.map((kind: Kind<Term>) => startKind(kind, term))
}

function startKind(kind: Kind<Term>, term: Term): Controller {
  const { metrics, tracer, clock, log, rng, signal } = term
  const { name, atOnce = reconcilesAtOnce } = kind
  const { reconcile } = kind.create(term)
  const keys = () => kind.keys(term)
  const controller: Controller = createController({
    name,
    keys,
    concurrency: atOnce,
    reconcile: (key, context) => tracer.span('reconcile', { controller: name, key }, async () => reconcile(key, context)),
    clock,
    log,
    rng,
    hooks: metrics.controller({ name, concurrency: atOnce, workingSeconds: () => controller.workingSeconds() }),
  })
  for (const key of keys()) controller.enqueue(key, { priority: startPriority })
  for (const watch of kind.watches(term)) {
    const end = watch.subscribe((changed) => {
      if (!signal.aborted || watch.throughStop) for (const key of changed) controller.enqueue(key)
    })
    if (!watch.throughStop) signal.addEventListener('abort', end, { once: true })
  }
  return controller
}
