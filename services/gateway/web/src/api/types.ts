import type { components } from "./schema";

type Schemas = components["schemas"];

export type Goal = Schemas["GoalView"];
export type GoalPage = Schemas["GoalPage"];
export type Task = Schemas["TaskRow"];
export type TaskDetail = Schemas["TaskDetail"];
export type Attempt = Schemas["AttemptRow"];
export type Graph = Schemas["Graph"];
export type Gate = Schemas["GateRow"];
export type Finding = Schemas["Finding"];
export type Question = Schemas["InterventionView"];
export type DeadLetter = Schemas["DeadLetterView"];
export type EventDocument = Schemas["EventDocument"];
export type Knowledge = Schemas["KnowledgeRow"];
export type Usage = Schemas["UsageSummary"];
export type Diff = Schemas["DiffView"];
export type Queue = Schemas["QueueView"];
export type Model = Schemas["ModelView"];
export type Ready = Schemas["Ready"];
export type Submit = Schemas["SubmitBody"];
export type Submitted = Schemas["GoalSubmitted"];
export type PlanTask = Schemas["TaskBody"];
export type Answer = Schemas["AnswerBody"];
export type Accepted = Schemas["CommandAccepted"];
export type Problem = Schemas["Problem"];
export type TimelineLine = Schemas["TimelineRow"];
