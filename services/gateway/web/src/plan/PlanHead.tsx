/** What the columns of a plan's table mean; `PlanRow` fills them. */
export function PlanHead() {
  return (
    <thead>
      <tr>
        <th>#</th>
        <th>Task</th>
        <th>Agent</th>
        <th>After</th>
        <th>Size</th>
        <th>Estimate</th>
        <th>Requirements</th>
        <th>
          <span className="unseen">Remove</span>
        </th>
      </tr>
    </thead>
  );
}
