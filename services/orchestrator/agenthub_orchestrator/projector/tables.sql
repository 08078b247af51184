-- The tables of one generation of the read models; the schema is chosen by search_path. Every row is a pure
-- function of the log: no defaults, no clock, no sequences.

CREATE TABLE goals (
    goal_id text PRIMARY KEY,
    goal text NOT NULL,
    requirements jsonb NOT NULL,
    constraints jsonb NOT NULL,
    priority text NOT NULL,
    repository text NOT NULL,
    test_command text NOT NULL,
    autonomy text NOT NULL,
    manual boolean NOT NULL,
    submitted_by text NOT NULL,
    forked_from text NOT NULL,
    forked_at_seq bigint NOT NULL,
    status text NOT NULL,
    paused_by text NOT NULL,
    pause_reason text NOT NULL,
    needs_you boolean NOT NULL,
    settled boolean NOT NULL,
    revision bigint NOT NULL,
    plan_approved boolean NOT NULL,
    analysis text NOT NULL,
    complexity text NOT NULL,
    head text NOT NULL,
    ready_seq bigint NOT NULL,
    rework_round bigint NOT NULL,
    summary text NOT NULL,
    coverage jsonb NOT NULL,
    stalled jsonb NOT NULL,
    tasks_total bigint NOT NULL,
    tasks_done bigint NOT NULL,
    tasks_queued bigint NOT NULL,
    tasks_running bigint NOT NULL,
    tasks_blocked bigint NOT NULL,
    tasks_failed bigint NOT NULL,
    open_questions bigint NOT NULL,
    estimated_tasks bigint NOT NULL,
    estimated_minutes double precision NOT NULL,
    estimated_minutes_low double precision NOT NULL,
    estimated_minutes_high double precision NOT NULL,
    estimated_completion timestamptz,
    llm_calls bigint NOT NULL,
    max_llm_calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost_usd double precision NOT NULL,
    unpriced_calls bigint NOT NULL,
    max_cost_usd double precision,
    events bigint NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    accepted_at timestamptz,
    planned_at timestamptz,
    ended_at timestamptz,
    updated_at timestamptz
);
CREATE INDEX goals_by_age ON goals (first_seq);

CREATE TABLE tasks (
    goal_id text NOT NULL,
    task_id text NOT NULL,
    ordinal bigint NOT NULL,
    key_name text NOT NULL,
    title text NOT NULL,
    details text NOT NULL,
    kind text NOT NULL,
    origin text NOT NULL,
    agent text NOT NULL,
    agent_type text NOT NULL,
    status text NOT NULL,
    attempt bigint NOT NULL,
    retry_count bigint NOT NULL,
    max_retries bigint NOT NULL,
    lane text NOT NULL,
    worker text NOT NULL,
    complexity text NOT NULL,
    estimate_minutes bigint NOT NULL,
    timeout_s bigint NOT NULL,
    depends_on jsonb NOT NULL,
    acceptance jsonb NOT NULL,
    requirement_ids jsonb NOT NULL,
    writes jsonb NOT NULL,
    changes_tests jsonb NOT NULL,
    progress_percentage bigint NOT NULL,
    summary text NOT NULL,
    tests_run text NOT NULL,
    insights jsonb NOT NULL,
    findings jsonb NOT NULL,
    files jsonb NOT NULL,
    commit_id text NOT NULL,
    reason text NOT NULL,
    due timestamptz,
    context_ref text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    enqueued_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (goal_id, task_id)
);

CREATE VIEW dependencies AS
SELECT goal_id, task_id, jsonb_array_elements_text(depends_on) AS depends_on FROM tasks;

CREATE TABLE attempts (
    goal_id text NOT NULL,
    task_id text NOT NULL,
    attempt bigint NOT NULL,
    agent text NOT NULL,
    agent_type text NOT NULL,
    agent_hash text NOT NULL,
    lane text NOT NULL,
    model text NOT NULL,
    worker text NOT NULL,
    instance text NOT NULL,
    delivery bigint NOT NULL,
    resumes bigint NOT NULL,
    outcome text NOT NULL,
    failure_class text NOT NULL,
    reason text NOT NULL,
    checkpoint text NOT NULL,
    llm_calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost_usd double precision NOT NULL,
    enqueued_seq bigint NOT NULL,
    started_seq bigint NOT NULL,
    ended_seq bigint NOT NULL,
    enqueued_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (goal_id, task_id, attempt)
);
CREATE INDEX attempts_by_end ON attempts (ended_seq);

CREATE TABLE gates (
    goal_id text NOT NULL,
    gate text NOT NULL,
    round bigint NOT NULL,
    task_id text NOT NULL,
    verdict text NOT NULL,
    blocking boolean NOT NULL,
    commit_id text NOT NULL,
    command text NOT NULL,
    exit_code bigint,
    passed bigint NOT NULL,
    failed bigint NOT NULL,
    errors bigint NOT NULL,
    skipped bigint NOT NULL,
    counted boolean NOT NULL,
    coverage_percent double precision,
    coverage_required double precision,
    failing jsonb NOT NULL,
    failed_before jsonb NOT NULL,
    mutants jsonb,
    findings jsonb NOT NULL,
    log_ref text NOT NULL,
    summary text NOT NULL,
    worker text NOT NULL,
    agent text NOT NULL,
    seq bigint NOT NULL,
    at timestamptz,
    PRIMARY KEY (goal_id, gate, round)
);

CREATE TABLE interventions (
    intervention_id text PRIMARY KEY,
    goal_id text NOT NULL,
    task_id text NOT NULL,
    about text NOT NULL,
    title text NOT NULL,
    state text NOT NULL,
    question text NOT NULL,
    options jsonb NOT NULL,
    evidence text NOT NULL,
    error text NOT NULL,
    reason text NOT NULL,
    retry_count bigint NOT NULL,
    attempt bigint NOT NULL,
    worker text NOT NULL,
    level bigint NOT NULL,
    blocked_seq bigint NOT NULL,
    asked_at timestamptz,
    action text NOT NULL,
    answer text NOT NULL,
    option text NOT NULL,
    answered_by text NOT NULL,
    answered_seq bigint NOT NULL,
    answered_at timestamptz
);
CREATE INDEX interventions_by_age ON interventions (blocked_seq);
CREATE INDEX interventions_of_goal ON interventions (goal_id);

CREATE TABLE usage (
    goal_id text NOT NULL,
    task_id text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    cost_usd double precision NOT NULL,
    unpriced_calls bigint NOT NULL,
    latency_ms bigint NOT NULL,
    PRIMARY KEY (goal_id, task_id, provider, model)
);

CREATE TABLE timeline (
    seq bigint PRIMARY KEY,
    goal_id text NOT NULL,
    task_id text NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    component text NOT NULL,
    text text NOT NULL,
    last_seq bigint NOT NULL
);
CREATE INDEX timeline_of_goal ON timeline (goal_id, seq);

CREATE TABLE knowledge (
    seq bigint PRIMARY KEY,
    goal_id text NOT NULL,
    task_id text NOT NULL,
    kind text NOT NULL,
    text text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX knowledge_of_goal ON knowledge (goal_id, seq);

CREATE TABLE dead_letters (
    dead_letter_id text PRIMARY KEY,
    kind text NOT NULL,
    goal_id text NOT NULL,
    task_id text NOT NULL,
    title text NOT NULL,
    state text NOT NULL,
    reason text NOT NULL,
    causes jsonb NOT NULL,
    attempt bigint NOT NULL,
    subject text NOT NULL,
    aggregate text NOT NULL,
    body text NOT NULL,
    skipped bigint NOT NULL,
    seq bigint NOT NULL,
    at timestamptz,
    decided_by text NOT NULL,
    decided_at timestamptz
);
CREATE INDEX dead_letters_by_age ON dead_letters (seq);

CREATE TABLE merges (
    seq bigint PRIMARY KEY,
    goal_id text NOT NULL,
    task_id text NOT NULL,
    attempt bigint NOT NULL,
    base text NOT NULL,
    head text NOT NULL,
    commit_id text NOT NULL,
    tree text NOT NULL,
    bundle_ref text NOT NULL,
    origin text NOT NULL,
    tests jsonb,
    at timestamptz NOT NULL
);
CREATE INDEX merges_of_goal ON merges (goal_id, seq);
