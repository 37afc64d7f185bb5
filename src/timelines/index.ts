/**
 * Shows in advance what the rules of a schedule do: which slots run, wait or are missed if runs take so long, as a table
 * or as a picture (SVG). The pictures of the documentation come from here as well.
 *
 * Guarantees: every slot is decided by `nextStep` of `scheduling`, the same rules as in the operator. The same input
 * gives the same bytes.
 * Assumes: the clocks of all parts agree, and workers start a run as soon as assumed.
 * Does not: read objects, files or a clock.
 */
export { drawTimelines, type Drawing, type Lane } from './draw.ts'
export {
  type Assumptions,
  type AssumedRun,
  type Interval,
  simulate,
  type SimulatedPlan,
  type SlotStory,
  type Timeline,
} from './simulate.ts'
export { describeStory } from './words.ts'
